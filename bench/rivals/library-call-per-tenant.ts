// tenantctl's library in a running process: one call for each new organization, one after the other.
import type * as Tenantctl from '../../src/index.ts';
import { importModule } from '../../src/import-module.ts';
import type { LibraryJob } from '../folder/library-job.ts';

const job = JSON.parse(process.argv[2] ?? '') as LibraryJob;
const { openDatabase, provisionTenant } = (await importModule(job.library)) as typeof Tenantctl;
const { hostname, port, username, password, pathname } = new URL(job.url);
const database = await openDatabase(
  {
    kind: 'server',
    host: hostname,
    port: Number(port),
    user: username,
    password: decodeURIComponent(password),
    database: pathname.slice(1),
    ssl: false,
    connectTimeoutMs: 10_000,
  },
  { maxConnections: 5 },
);
const calls = [];
for (const organization of job.organizations) {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await provisionTenant(database, organization, { folder: job.folder, masterFolder: job.master });
  const { user, system } = process.cpuUsage(cpu);
  calls.push({ ms: performance.now() - started, cpuMs: (user + system) / 1000 });
}
await database.close();
console.log(JSON.stringify(calls));
