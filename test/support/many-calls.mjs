// The program, called many times in one process: starting one takes ten times as long as most of what it does.
import { main } from '../../dist/cli.js';

const write = { stdout: process.stdout.write.bind(process.stdout) };
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
let input = '';
for await (const chunk of process.stdin) input += chunk;
const answers = [];
for (const { args, cwd, env } of JSON.parse(input)) {
  process.chdir(cwd);
  process.env = env;
  said = '';
  const exitCode = await main(args);
  answers.push({ exitCode, said });
}
write.stdout(JSON.stringify(answers));
