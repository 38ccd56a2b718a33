import { types } from 'node:util';

/** Whether a value is an error, also one of another realm: in Jest, errors of Node and of migrations are. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}
