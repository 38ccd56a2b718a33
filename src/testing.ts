/** The entry `tenantctl/testing`: databases for the tests of an application (docs/testing.md). */
export { createTemplate, type Template } from './testing/create-template.ts';
export type { FreshDatabase } from './testing/fresh-database.ts';
export type { TemplateOptions } from './testing/read-project.ts';
export type { AnyKnex, RolledBackTenant } from './testing/rolled-back.ts';
export type { ServerSettings } from './db/database.ts';
export { TenantctlError } from './errors.ts';
export type { ErrorCode } from './error-code.ts';
