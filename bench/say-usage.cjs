// Loaded into a measured Node program before its own code: when it ends, it leaves a note of what it has used.
// CommonJS, because that costs the program about a millisecond; TypeScript would cost it thirty.
const { writeFileSync } = require('node:fs');

process.on('exit', () => {
  // Microseconds and kilobytes: https://nodejs.org/api/process.html#processresourceusage
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const usage = { cpuMs: (userCPUTime + systemCPUTime) / 1000, maxRssBytes: maxRSS * 1024 };
  writeFileSync(process.env.BENCH_USAGE_FILE, JSON.stringify(usage));
});
