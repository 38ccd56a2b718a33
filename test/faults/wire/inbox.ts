/** An asynchronous queue between one producer and one consumer. */
export interface Inbox<T> {
  put(item: T): void;
  take(): Promise<T>;
}

export function createInbox<T>(): Inbox<T> {
  const items: T[] = [];
  let arrived = Promise.withResolvers<void>();
  return {
    put(item) {
      items.push(item);
      arrived.resolve();
    },
    async take() {
      for (;;) {
        const item = items.shift();
        if (item !== undefined) return item;
        arrived = Promise.withResolvers();
        await arrived.promise;
      }
    },
  };
}
