/** A catalog whose rows show what was created or changed, and how to find a row's object and its schema. */
export interface Catalog {
  readonly name: string;
  /** Its own oid, the same in every version that has it. */
  readonly self: number;
  /** The catalog of the object that a row belongs to, and the column with its oid; if absent, the row. */
  readonly of?: readonly [catalog: string, column: string];
  readonly schema?: string;
  /** SQL for the oid of its schema, if no column of the row has it. */
  readonly space?: string;
  readonly where?: string;
  readonly isDroppable?: true;
}

/**
 * SQL for the schema of a cast: the tenant's if one of its types is there. Nobody else can use it.
 */
const SCHEMA_OF_CAST = `(SELECT t.typnamespace FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace s ON s.oid = t.typnamespace
  WHERE t.oid IN (r.castsource, r.casttarget) ORDER BY s.nspname = tenant_schema DESC LIMIT 1)`;

/**
 * Other parts of a relation cannot be written without a lock on it. Grants take no lock, but write pg_class
 * or pg_attribute.
 */
export const CATALOGS: readonly Catalog[] = [
  { name: 'pg_class', self: 1259, isDroppable: true, schema: 'relnamespace' },
  { name: 'pg_attribute', self: 1249, of: ['pg_class', 'attrelid'] },
  { name: 'pg_type', self: 1247, isDroppable: true, schema: 'typnamespace' },
  { name: 'pg_enum', self: 3501, of: ['pg_type', 'enumtypid'] },
  {
    name: 'pg_constraint',
    self: 2606,
    isDroppable: true,
    of: ['pg_type', 'contypid'],
    schema: 'connamespace',
    where: 'contypid > 0',
  },
  { name: 'pg_proc', self: 1255, isDroppable: true, schema: 'pronamespace' },
  { name: 'pg_namespace', self: 2615, isDroppable: true, schema: 'oid' },
  { name: 'pg_statistic_ext', self: 3381, isDroppable: true, schema: 'stxnamespace' },
  { name: 'pg_operator', self: 2617, isDroppable: true, schema: 'oprnamespace' },
  { name: 'pg_opclass', self: 2616, isDroppable: true, schema: 'opcnamespace' },
  { name: 'pg_opfamily', self: 2753, isDroppable: true, schema: 'opfnamespace' },
  { name: 'pg_amop', self: 2602, of: ['pg_opfamily', 'amopfamily'] },
  { name: 'pg_amproc', self: 2603, of: ['pg_opfamily', 'amprocfamily'] },
  { name: 'pg_collation', self: 3456, isDroppable: true, schema: 'collnamespace' },
  { name: 'pg_conversion', self: 2607, isDroppable: true, schema: 'connamespace' },
  { name: 'pg_ts_config', self: 3602, isDroppable: true, schema: 'cfgnamespace' },
  { name: 'pg_ts_config_map', self: 3603, of: ['pg_ts_config', 'mapcfg'] },
  { name: 'pg_ts_dict', self: 3600, isDroppable: true, schema: 'dictnamespace' },
  { name: 'pg_ts_parser', self: 3601, schema: 'prsnamespace' },
  { name: 'pg_ts_template', self: 3764, schema: 'tmplnamespace' },
  { name: 'pg_default_acl', self: 826, schema: 'defaclnamespace' },
  { name: 'pg_cast', self: 2605, isDroppable: true, space: SCHEMA_OF_CAST },
  { name: 'pg_transform', self: 3576 },
  { name: 'pg_language', self: 2612, isDroppable: true },
  { name: 'pg_am', self: 2601 },
  { name: 'pg_extension', self: 3079, isDroppable: true },
  { name: 'pg_event_trigger', self: 3466 },
  { name: 'pg_foreign_data_wrapper', self: 2328 },
  { name: 'pg_foreign_server', self: 1417, isDroppable: true },
  { name: 'pg_user_mapping', self: 1418 },
  { name: 'pg_publication', self: 6104, isDroppable: true },
  { name: 'pg_publication_rel', self: 6106, of: ['pg_publication', 'prpubid'] },
  { name: 'pg_publication_namespace', self: 6237, of: ['pg_publication', 'pnpubid'] },
  { name: 'pg_subscription', self: 6100 },
  { name: 'pg_parameter_acl', self: 6243 },
  { name: 'pg_database', self: 1262 },
  { name: 'pg_tablespace', self: 1213 },
  { name: 'pg_authid', self: 1260 },
  { name: 'pg_auth_members', self: 1261, of: ['pg_authid', 'roleid'] },
  { name: 'pg_db_role_setting', self: 2964, of: ['pg_database', 'setdatabase'], where: 'setrole = 0' },
  { name: 'pg_db_role_setting', self: 2964, of: ['pg_authid', 'setrole'], where: 'setrole <> 0' },
];

/** The catalogs of dependencies, by oid. */
export const PG_DEPEND = 2608;
export const PG_SHDEPEND = 1214;

export const DROPPABLE = CATALOGS.flatMap(({ name, isDroppable }) => (isDroppable === true ? [name] : []));

/** Those whose objects migrations often create and drop in the same transaction. */
export const OFTEN_PASSING: readonly string[] = [
  'pg_class',
  'pg_type',
  'pg_constraint',
  'pg_proc',
  'pg_namespace',
];
