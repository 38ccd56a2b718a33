import type { ErrorReport } from '../../errors.ts';

/** What every JSON document holds. The rest depends on the command: docs/json.md. */
export interface DocumentBase {
  readonly command: string;
  readonly ok: boolean;
  readonly error?: ErrorReport;
}
