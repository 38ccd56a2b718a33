/** A catalog whose rows show what was created or changed, and how to find a row's object and its schema. */
export interface Catalog {
  readonly name: string;
  /** The catalog of the object that a row belongs to, and the column with its oid; if absent, the row. */
  readonly of?: readonly [catalog: string, column: string];
  readonly schema?: string;
  /** SQL for the oid of its schema, if no column of the row has it. */
  readonly space?: string;
  readonly where?: string;
  readonly isDroppable?: true;
}

/**
 * SQL for the schema of a cast: the tenant's ($3) if one of its types is there. Nobody else can use it.
 */
const SCHEMA_OF_CAST = `(SELECT t.typnamespace FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace s ON s.oid = t.typnamespace
  WHERE t.oid IN (r.castsource, r.casttarget) ORDER BY s.nspname = $3 DESC LIMIT 1)`;

/**
 * Other parts of a relation cannot be written without a lock on it. Grants take no lock, but write pg_class
 * or pg_attribute.
 */
export const CATALOGS: readonly Catalog[] = [
  { name: 'pg_class', isDroppable: true, schema: 'relnamespace' },
  { name: 'pg_attribute', of: ['pg_class', 'attrelid'] },
  { name: 'pg_type', isDroppable: true, schema: 'typnamespace' },
  { name: 'pg_enum', of: ['pg_type', 'enumtypid'] },
  {
    name: 'pg_constraint',
    isDroppable: true,
    of: ['pg_type', 'contypid'],
    schema: 'connamespace',
    where: 'contypid > 0',
  },
  { name: 'pg_proc', isDroppable: true, schema: 'pronamespace' },
  { name: 'pg_namespace', isDroppable: true, schema: 'oid' },
  { name: 'pg_statistic_ext', isDroppable: true, schema: 'stxnamespace' },
  { name: 'pg_operator', isDroppable: true, schema: 'oprnamespace' },
  { name: 'pg_opclass', isDroppable: true, schema: 'opcnamespace' },
  { name: 'pg_opfamily', isDroppable: true, schema: 'opfnamespace' },
  { name: 'pg_amop', of: ['pg_opfamily', 'amopfamily'] },
  { name: 'pg_amproc', of: ['pg_opfamily', 'amprocfamily'] },
  { name: 'pg_collation', isDroppable: true, schema: 'collnamespace' },
  { name: 'pg_conversion', isDroppable: true, schema: 'connamespace' },
  { name: 'pg_ts_config', isDroppable: true, schema: 'cfgnamespace' },
  { name: 'pg_ts_config_map', of: ['pg_ts_config', 'mapcfg'] },
  { name: 'pg_ts_dict', isDroppable: true, schema: 'dictnamespace' },
  { name: 'pg_ts_parser', schema: 'prsnamespace' },
  { name: 'pg_ts_template', schema: 'tmplnamespace' },
  { name: 'pg_default_acl', schema: 'defaclnamespace' },
  { name: 'pg_cast', isDroppable: true, space: SCHEMA_OF_CAST },
  { name: 'pg_transform' },
  { name: 'pg_language', isDroppable: true },
  { name: 'pg_am' },
  { name: 'pg_extension', isDroppable: true },
  { name: 'pg_event_trigger' },
  { name: 'pg_foreign_data_wrapper' },
  { name: 'pg_foreign_server', isDroppable: true },
  { name: 'pg_user_mapping' },
  { name: 'pg_publication', isDroppable: true },
  { name: 'pg_publication_rel', of: ['pg_publication', 'prpubid'] },
  { name: 'pg_publication_namespace', of: ['pg_publication', 'pnpubid'] },
  { name: 'pg_subscription' },
  { name: 'pg_parameter_acl' },
  { name: 'pg_database' },
  { name: 'pg_tablespace' },
  { name: 'pg_authid' },
  { name: 'pg_auth_members', of: ['pg_authid', 'roleid'] },
  { name: 'pg_db_role_setting', of: ['pg_database', 'setdatabase'], where: 'setrole = 0' },
  { name: 'pg_db_role_setting', of: ['pg_authid', 'setrole'], where: 'setrole <> 0' },
];

export const DROPPABLE = CATALOGS.flatMap(({ name, isDroppable }) => (isDroppable === true ? [name] : []));
