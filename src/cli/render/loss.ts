import type { Loss } from '../../core/tenant/common/losses.ts';
import { counted } from '../../wording.ts';
import { bytesText } from './bytes.ts';

/** One line: what goes with a tenant. */
export function lossText({ clerkOrgId, schema, status, tables, estimatedRows, bytes, role }: Loss): string {
  const rows = estimatedRows === null ? '' : `, about ${counted(estimatedRows, 'row')}`;
  const size = bytes === null ? '' : `, ${bytesText(bytes)}`;
  const roleText = role === null ? '' : `, role ${role}`;
  return `${clerkOrgId} (${schema}, ${status}): ${counted(tables, 'table')}${rows}${size}${roleText}`;
}
