/** Types of pg_type that the columns of a registry may have. */
export const TEXT_TYPES = ['text', 'varchar', 'citext', 'name', 'bpchar'];
export const ID_TYPES = [...TEXT_TYPES, 'uuid', 'int2', 'int4', 'int8'];
