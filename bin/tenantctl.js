#!/usr/bin/env node
// Without -S, which BusyBox's env (Alpine Linux) lacks. So Node also reads a file that --env-file names, and ends
// with 9 if it is missing (https://github.com/nodejs/node/issues/54232): the documented flag is --dotenv.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `tenantctl needs Node 22.18 or newer; this is ${process.versions.node}.\nInstall a newer Node: https://nodejs.org\n`,
  );
  process.exitCode = 3;
} else {
  // Kept where only those can write who can change the program itself. If that is impossible, nothing is kept.
  process.getBuiltinModule('node:module').enableCompileCache(`${import.meta.dirname}/../.compile-cache`);
  const { main } = await import('../dist/cli.js');
  process.exitCode = await main(process.argv.slice(2));
}
