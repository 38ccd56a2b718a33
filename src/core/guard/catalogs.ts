/** A catalog whose rows show what was created or changed, and how to find a row's object and its schema. */
export interface Catalog {
  readonly name: string;
  /** The object that a row belongs to: its catalog, and the column with its oid; the row itself where absent. */
  readonly of?: readonly [catalog: string, column: string];
  /** The column with the oid of its schema. */
  readonly schema?: string;
  /** Only these rows. */
  readonly where?: string;
}

/**
 * Other parts of a relation (constraints, indexes, triggers, policies, rules) cannot be written without a lock on it.
 * Grants on relations and columns take no lock; they are written into the first two catalogs.
 */
export const CATALOGS: readonly Catalog[] = [
  { name: 'pg_class', schema: 'relnamespace' },
  { name: 'pg_attribute', of: ['pg_class', 'attrelid'] },
  { name: 'pg_type', schema: 'typnamespace' },
  { name: 'pg_enum', of: ['pg_type', 'enumtypid'] },
  { name: 'pg_constraint', of: ['pg_type', 'contypid'], schema: 'connamespace', where: 'contypid > 0' },
  { name: 'pg_proc', schema: 'pronamespace' },
  { name: 'pg_namespace', schema: 'oid' },
  { name: 'pg_statistic_ext', schema: 'stxnamespace' },
  { name: 'pg_operator', schema: 'oprnamespace' },
  { name: 'pg_opclass', schema: 'opcnamespace' },
  { name: 'pg_opfamily', schema: 'opfnamespace' },
  { name: 'pg_amop', of: ['pg_opfamily', 'amopfamily'] },
  { name: 'pg_amproc', of: ['pg_opfamily', 'amprocfamily'] },
  { name: 'pg_collation', schema: 'collnamespace' },
  { name: 'pg_conversion', schema: 'connamespace' },
  { name: 'pg_ts_config', schema: 'cfgnamespace' },
  { name: 'pg_ts_config_map', of: ['pg_ts_config', 'mapcfg'] },
  { name: 'pg_ts_dict', schema: 'dictnamespace' },
  { name: 'pg_ts_parser', schema: 'prsnamespace' },
  { name: 'pg_ts_template', schema: 'tmplnamespace' },
  { name: 'pg_default_acl', schema: 'defaclnamespace' },
  { name: 'pg_cast' },
  { name: 'pg_transform' },
  { name: 'pg_language' },
  { name: 'pg_am' },
  { name: 'pg_extension' },
  { name: 'pg_event_trigger' },
  { name: 'pg_foreign_data_wrapper' },
  { name: 'pg_foreign_server' },
  { name: 'pg_user_mapping' },
  { name: 'pg_publication' },
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

/** Catalogs of objects that can be dropped on their own. */
export const DROPPABLE: readonly string[] = [
  'pg_class',
  'pg_type',
  'pg_proc',
  'pg_constraint',
  'pg_namespace',
  'pg_extension',
  'pg_operator',
  'pg_opclass',
  'pg_opfamily',
  'pg_collation',
  'pg_statistic_ext',
  'pg_conversion',
  'pg_ts_config',
  'pg_ts_dict',
  'pg_cast',
  'pg_language',
  'pg_publication',
  'pg_foreign_server',
];
