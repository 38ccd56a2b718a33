// The program, called many times in one process: to start one takes ten times as long as most of what it does.
// Each line of stdin is a list of calls, each line of stdout the list of the answers.
import { createInterface } from 'node:readline';
import { main } from '../../dist/cli.js';

const write = process.stdout.write.bind(process.stdout);
let said = '';
for (const stream of [process.stdout, process.stderr]) {
  stream.write = (chunk, encoding, callback) => {
    said += String(chunk);
    const done = typeof encoding === 'function' ? encoding : callback;
    if (done !== undefined) queueMicrotask(done);
    return true;
  };
}
process.setMaxListeners(0);
process.stdout.setMaxListeners(0);
process.stderr.setMaxListeners(0);
for await (const line of createInterface({ input: process.stdin })) {
  const answers = [];
  for (const { args, cwd, env } of JSON.parse(line)) {
    process.chdir(cwd);
    process.env = env;
    said = '';
    const exitCode = await main(args);
    answers.push({ exitCode, said });
  }
  write(`${JSON.stringify(answers)}\n`);
}
