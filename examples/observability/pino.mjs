// Logs the events of runs with pino: migrateTenants(database, { ...options, observe: logTo(pino()) })

/** @returns an observer that writes one line per event; each names its run */
export function logTo(logger) {
  return ({ type, ...facts }) => {
    switch (type) {
      case 'started':
        return logger.info(facts, `${facts.command} started`);
      case 'ended': {
        const { error, ...rest } = facts;
        const level = facts.outcome === 'done' ? 'info' : 'error';
        return logger[level]({ ...rest, err: error }, `${facts.command} ended: ${facts.outcome}`);
      }
      case 'tenant': {
        const { clerkOrgId, schema, outcome, durationMs, error } = facts.result;
        const tenant = { run: facts.run, clerkOrgId, schema, outcome, durationMs, err: error };
        return logger[outcome === 'failed' ? 'error' : 'debug'](tenant, `${clerkOrgId} ${outcome}`);
      }
      case 'retry':
        return logger.warn(
          { run: facts.run, ...facts.tenant, tries: facts.tries, err: facts.error },
          `${facts.tenant.schema} is tried again`,
        );
      case 'warning':
        return logger.warn({ run: facts.run }, facts.message);
      default:
        return logger.debug({ type, ...facts }, facts.message ?? type);
    }
  };
}
