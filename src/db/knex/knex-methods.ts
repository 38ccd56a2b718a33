/**
 * The names of the methods of Knex's builders: those of the newest version, which has all of the older ones. A test
 * compares them with the version that is installed. To load a second Knex only to ask it takes 30 ms.
 */
export const KNEX_METHODS: ReadonlySet<string> = new Set(
  `
  _aggregate _analytic _analyticMethod _args _asColumnFlag _bool _boolFlag _clearGrouping _columns _comments
  _counter _debug _fn _hasLockMode _isJsonObject _isSelectQuery _joinFlag _joinType _json _method _modifiers _not
  _notFlag _objectWhere _orderByArray _schemaName _sequence _setSkipBinding _single _statements _tableBuilder
  _tableName _tableNameLike _type _union _validateWithArgs _viewName _whereJsonWrappedValue _whereLike after
  alterTable alterView and andHaving andHavingBetween andHavingExists andHavingIn andHavingNotBetween
  andHavingNotExists andHavingNotIn andHavingNotNull andHavingNull andWhere andWhereBetween andWhereColumn
  andWhereILike andWhereJsonObject andWhereJsonPath andWhereLike andWhereNot andWhereNotBetween andWhereNotColumn
  andWhereNotJsonObject andWhereRaw as asCallback avg avgDistinct bigIncrements bigInteger bigincrements bigint
  biginteger binary bit blob bool boolean cascadedCheckOption catch char charset check checkBetween checkIn
  checkLength checkNegative checkNotIn checkOption checkPositive checkRegex clear clearCounters clearGroup
  clearHaving clearOrder clearSelect clearWhere client clone collate column columnInfo columns comment connection
  count countDistinct createExtension createExtensionIfNotExists createMaterializedView createSchema
  createSchemaIfNotExists createTable createTableIfNotExists createTableLike createView createViewOrReplace
  crossJoin date dateTime datetime debug decimal decrement default defaultTo defaultsTo del delete denseRank
  distinct distinctOn double dropExtension dropExtensionIfExists dropForeign dropForeignIfExists dropIndex
  dropMaterializedView dropMaterializedViewIfExists dropPrimary dropPrimaryIfExists dropSchema dropSchemaIfExists
  dropTable dropTableIfExists dropUnique dropUniqueIfExists dropView dropViewIfExists engine enu enum except finally
  first float forKeyShare forNoKeyUpdate forShare forUpdate foreign from fromJS fromRaw fullOuterJoin
  generateDdlCommands geography geometry groupBy groupByRaw hasColumn hasTable having havingBetween havingExists
  havingIn havingNotBetween havingNotExists havingNotIn havingNotNull havingNull havingRaw havingWrapped hintComment
  increment increments index inherits innerJoin insert int integer intersect into isValidStatementArg join joinRaw
  json jsonExtract jsonInsert jsonRemove jsonSet jsonb leftJoin leftOuterJoin limit localCheckOption longBlob
  longText longblob longtext max mediumBlob mediumText mediumblob mediumint mediumtext min modify noWait not notNull
  notNullable nullable offset onConflict options or orHaving orHavingBetween orHavingExists orHavingIn
  orHavingNotBetween orHavingNotExists orHavingNotIn orHavingNotNull orHavingNull orHavingRaw orWhere orWhereBetween
  orWhereColumn orWhereExists orWhereILike orWhereIn orWhereJsonNotSubsetOf orWhereJsonNotSupersetOf
  orWhereJsonObject orWhereJsonPath orWhereJsonSubsetOf orWhereJsonSupersetOf orWhereLike orWhereNot
  orWhereNotBetween orWhereNotColumn orWhereNotExists orWhereNotIn orWhereNotJsonObject orWhereNotNull orWhereNull
  orWhereRaw orderBy orderByRaw outerJoin pipe pluck point primary queryContext rank raw real references
  refreshMaterializedView renameTable renameView returning rightJoin rightOuterJoin rowNumber select serial set
  setSchema skipLocked smallint specificType stream string sum sumDistinct table text then time timeout timestamp
  timestamps tinyBlob tinyText tinyblob tinyint tinytext toQuery toSQL toString transacting truncate union unionAll
  unique unsigned update updateFrom upsert using uuid varbinary varchar view where whereBetween whereColumn
  whereExists whereILike whereIn whereJsonHasNone whereJsonNotSubsetOf whereJsonNotSupersetOf whereJsonObject
  whereJsonPath whereJsonSubsetOf whereJsonSupersetOf whereLike whereNot whereNotBetween whereNotColumn
  whereNotExists whereNotIn whereNotJsonObject whereNotNull whereNull whereRaw whereWrapped with withMaterialized
  withNotMaterialized withRecursive withRecursiveWrapped withSchema withWrapped year`
    .trim()
    .split(/\s+/),
);
