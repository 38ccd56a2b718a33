export { schemaNameFor } from './core/schema-name.ts';
