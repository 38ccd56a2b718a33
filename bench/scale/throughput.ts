/** What one tenant takes, in milliseconds. */
export interface Demand {
  /** The client is one thread. */
  readonly client: number;
  /** The server has several cores. */
  readonly server: number;
  /** Waiting for which nobody queues: the network, and the disk, whose flushes are shared. */
  readonly wait: number;
}

/**
 * Tenants for each millisecond with `lanes` tenants at once, by mean-value analysis of a closed network of queues: the
 * client with one thread, the server with `cores` (Seidmann: one that is that many times as fast, and a wait).
 * https://en.wikipedia.org/wiki/Mean_value_analysis
 */
export function throughput({ client, server, wait }: Demand, lanes: number, cores: number): number {
  const stations = [client, server / cores];
  const delay = wait + (server * (cores - 1)) / cores;
  let queues = stations.map(() => 0);
  let rate = 0;
  for (let customers = 1; customers <= lanes; customers += 1) {
    const stays = stations.map((demand, at) => demand * (1 + (queues[at] ?? 0)));
    rate = customers / (delay + stays.reduce((total, stay) => total + stay, 0));
    queues = stays.map((stay) => rate * stay);
  }
  return rate;
}
