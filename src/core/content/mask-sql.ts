import { hkdfSync } from 'node:crypto';
import { identifier } from '../../db/sql.ts';
import { patternSql } from './mask-pattern.ts';
import { constantText, patternOf } from './mask-values.ts';
import type { ColumnMask } from './plan-mask.ts';

/** The SQL that masks columns of a table, which the statement calls `t`. */
export class MaskSql {
  /** Bound values. */
  readonly values: unknown[] = [];
  /** What the statement joins to the table. */
  joins = '';
  readonly #maskKey: string;
  #numbered = 0;

  constructor(maskKey: string) {
    this.#maskKey = maskKey;
  }

  /** NULL stays NULL, except under a constant. @param type of the column in the clone */
  valueOf(column: string, type: string, { rule, allRows }: ColumnMask): string {
    if (rule === 'null') return `NULL::${type}`;
    if ('constant' in rule) return `${this.#bind(constantText(rule.constant))}::text::${type}`;
    const value = identifier(column);
    const pads = padsOf(this.#maskKey).map((pad) => `${this.#bind(pad)}::bytea`);
    const codeOf = (table: string) =>
      `sha256(${pads[1]} || sha256(${pads[0]} || convert_to(${table}.${value}::text, 'UTF8')))`;
    const pattern = patternOf(rule);
    if (pattern === undefined) {
      const digits = 'hash' in rule ? rule.hash : 0;
      return `CASE WHEN t.${value} IS NOT NULL THEN left(encode(${codeOf('t')}, 'hex'), ${digits})::${type} END`;
    }
    // Equal values get equal numbers, and different values different ones, also in different partitions.
    const numbers = `tenantctl_mask_${(this.#numbered += 1)}`;
    this.joins += ` LEFT JOIN (SELECT code, row_number() OVER (ORDER BY code) - 1 AS number
      FROM (SELECT DISTINCT ${codeOf('v')} AS code FROM ${allRows} v) codes WHERE code IS NOT NULL) ${numbers} ON ${numbers}.code = ${codeOf('t')}`;
    const masked = patternSql(pattern, `(${numbers}.number % ${pattern.capacity})`);
    return `CASE WHEN t.${value} IS NOT NULL THEN (${masked})::${type} END`;
  }

  #bind(value: unknown): string {
    return `$${this.values.push(value)}`;
  }
}

/** The two pads of HMAC-SHA256, of a key that is derived from the user's: RFC 2104, RFC 5869. */
function padsOf(maskKey: string): readonly [inner: Buffer, outer: Buffer] {
  const key = Buffer.from(hkdfSync('sha256', maskKey, '', 'tenantctl mask', 64));
  return [0x36, 0x5c].map((pad) => Buffer.from(key.map((byte) => byte ^ pad))) as [Buffer, Buffer];
}
