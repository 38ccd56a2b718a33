import type { TenantctlError } from '../../errors.ts';
import type { Attempt } from './attempt.ts';
import type { ServerFacts } from './server-facts.ts';
import type { DatabaseSettings } from '../../db/database.ts';

/** How far the way to the database leads. */
export type ConnectionFacts =
  | { readonly kind: 'not-configured' }
  | { readonly kind: 'refused'; readonly settings: DatabaseSettings; readonly error: TenantctlError }
  | {
      readonly kind: 'open';
      readonly settings: DatabaseSettings;
      /** Milliseconds that it took to connect and log in. */
      readonly durationMs: number;
      readonly server: Attempt<ServerFacts>;
    };
