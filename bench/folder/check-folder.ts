import { withConnection } from '../server/connection.ts';
import { differencesTo, referenceOf, withUnsteadyOf, type Reference } from './differences.ts';
import { readSchema, type SchemaContent } from './schema-content.ts';

/** How tenants came to have all migrations: at once, or the last one later, which is another batch. */
export type Course = 'at once' | 'last one later';

/** Compares what tenantctl leaves in a database with what plain Knex leaves. */
export interface FolderCheck {
  /** To be called with each database that Knex has served; values that differ among them are not compared. */
  readonly learn: (course: Course, url: string, schemas: readonly string[]) => Promise<void>;
  /** @returns a line for each difference in a tenant's schema or in `public`, the first ones only */
  readonly compare: (course: Course, url: string, schemas: readonly string[]) => Promise<readonly string[]>;
}

const SHOWN = 10;

export function folderCheck(): FolderCheck {
  const tenants: Record<Course, SchemaContent[]> = { 'at once': [], 'last one later': [] };
  /** By the course and the number of tenants: what migrations write there may depend on it. */
  const shared = new Map<string, SchemaContent[]>();
  return {
    async learn(course, url, schemas) {
      // Two tenants of each run show what differs; more would fill the memory.
      tenants[course].push(...(await readTenants(url, schemas.slice(0, 2))));
      const key = `${course} ${schemas.length}`;
      shared.set(key, [...(shared.get(key) ?? []), await readShared(url)]);
    },
    async compare(course, url, schemas) {
      const reference = withUnsteadyOf(referenceOf(tenants['at once']), referenceOf(tenants[course]));
      const found = await readTenants(url, schemas);
      const differences = found.flatMap((content, at) =>
        differencesTo(reference, content).map((line) => `${schemas[at]}: ${line}`),
      );
      const common = shared.get(`${course} ${schemas.length}`);
      if (common !== undefined)
        differences.push(...sharedDifferences(referenceOf(common), await readShared(url)));
      const more = differences.length - SHOWN;
      return more > 0 ? [...differences.slice(0, SHOWN), `and ${more} more`] : differences;
    },
  };
}

function sharedDifferences(reference: Reference, found: SchemaContent): string[] {
  return differencesTo(reference, found).map((line) => `public: ${line}`);
}

async function readTenants(url: string, schemas: readonly string[]): Promise<SchemaContent[]> {
  return withConnection(url, async (client) => {
    const contents: SchemaContent[] = [];
    for (const schema of schemas) contents.push(await readSchema(client, schema));
    return contents;
  });
}

/** `public` without the registry and what else tenantctl keeps there. */
async function readShared(url: string): Promise<SchemaContent> {
  return withConnection(url, (client) =>
    readSchema(client, 'public', (name) => /^(tenants|knex_migrations_master)/.test(name)),
  );
}
