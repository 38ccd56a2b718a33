/**
 * A proxy that reports each look at `source`.
 * @param get returns a property, and reports it
 * @param tell called with the property, or without one if it may be any
 */
export function lookedAt<T extends object>(
  source: T,
  get: (property: string | symbol) => unknown,
  tell: (property?: string | symbol) => void,
  handler: ProxyHandler<T> = {},
  target: T = source,
): T {
  return new Proxy(target, {
    get: (_target, property) => get(property),
    set: (_target, property, value) => Reflect.set(source, property, value),
    has(_target, property) {
      tell(property);
      return Reflect.has(source, property);
    },
    ownKeys() {
      tell();
      return Reflect.ownKeys(source);
    },
    getOwnPropertyDescriptor(_target, property) {
      tell();
      return Reflect.getOwnPropertyDescriptor(source, property);
    },
    getPrototypeOf: () => Reflect.getPrototypeOf(source),
    ...handler,
  });
}
