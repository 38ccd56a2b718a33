import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import type { PoolClient } from 'pg';
import { from } from 'pg-copy-streams';

/** An open COPY … FROM STDIN. The connection can do nothing else until `end` or `abort`. */
export interface CopyIn {
  /** Resolves when more can be written. @throws what the server refuses, even rows that were written before */
  write(text: string): Promise<void>;
  end(): Promise<void>;
  /** Ends it with an error, so that the transaction can only be rolled back. */
  abort(): Promise<void>;
}

/** @param statement COPY … FROM STDIN, in text format */
export function copyIn(client: PoolClient, statement: string): CopyIn {
  const stream = client.query(from(statement));
  const over = finished(stream);
  over.catch(() => {});
  return {
    async write(text) {
      if (!stream.write(text)) await Promise.race([once(stream, 'drain'), over]);
    },
    async end() {
      stream.end();
      await over;
    },
    async abort() {
      stream.destroy();
      await over.catch(() => {});
    },
  };
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * A row in COPY's text format (https://www.postgresql.org/docs/current/sql-copy.html). Values are as PostgreSQL prints
 * them; null is NULL.
 */
export function copyLine(values: readonly (string | null)[]): string {
  const field = (value: string | null) =>
    value === null ? '\\N' : value.replaceAll(/[\\\n\r\t]/g, (character) => ESCAPES[character] ?? character);
  return `${values.map(field).join('\t')}\n`;
}

const UNESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f', v: '\v' };

/** The values of a line that COPY … TO has written in text format; null is NULL. */
export function parseCopyLine(line: string): (string | null)[] {
  return line
    .split('\t')
    .map((field) =>
      field === '\\N'
        ? null
        : field.replaceAll(/\\(.)/g, (_, character: string) => UNESCAPES[character] ?? character),
    );
}
