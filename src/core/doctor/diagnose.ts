import { checkOptions } from '../options/check-options.ts';
import { decide } from './decide.ts';
import { toDiagnosis, type Diagnosis } from './diagnosis.ts';
import { gatherFacts, type DiagnoseOptions } from './facts.ts';

/**
 * Checks everything that a run needs: Node, variables, folders and files, the connection, TLS, rights, pgvector, the
 * registry and the histories. Only reads, but runs the top level of the migration files. Does not throw for what it
 * finds: a failed check is part of the result, with its remedy.
 */
export async function diagnose(options: DiagnoseOptions): Promise<Diagnosis> {
  checkOptions(options, 'nodeVersion');
  return toDiagnosis(decide(await gatherFacts(options)));
}
