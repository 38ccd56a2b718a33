import { realpathSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isError } from '../../is-error.ts';

/**
 * The line of the migration, or of a module that it imports, where an error arose: `x.ts:12:9`, relative to the
 * migration's folder. The column is absent if jiti compiled the file: it keeps lines only.
 */
export function placeOf(error: unknown, migrationPath: string): string | undefined {
  if (!isError(error)) return undefined;
  const path = realpath(migrationPath);
  // Knex moves the stack of its driver's error aside, and puts in its place the one where the query was built.
  const { originalStack } = error as Error & { readonly originalStack?: unknown };
  for (const stack of [originalStack, error.stack]) {
    if (typeof stack !== 'string') continue;
    const place =
      unparsable(stack) ?? frames(stack).find((frame) => frame.path === path || !isForeign(frame));
    if (place !== undefined) return shown(place, dirname(path));
  }
  return undefined;
}

interface Place {
  readonly path: string;
  readonly line: string;
  readonly column?: string | undefined;
}

/** `    at name (file:///x.ts:1:2)`, `    at async /x.ts:1:2` */
const FRAME = /^\s+at (?:async )?(?:.*? \()?(.+?):(\d+):(\d+)\)?$/;

function frames(stack: string): Place[] {
  return stack.split('\n').flatMap((text) => {
    const [, location = '', line = '', column] = FRAME.exec(text) ?? [];
    if (line === '') return [];
    const isCompiled = /^[^:]*\.[mc]?ts$/.test(location);
    return [{ path: toPath(location), line, column: isCompiled ? undefined : column }];
  });
}

/** Of a syntax error: Node begins the stack with file and line, then shows a caret; jiti ends the message with it. */
function unparsable(stack: string): Place | undefined {
  const ofJiti = /ParseError: [^]*?\n (\S.*):(\d+):(\d+)\s*$/m.exec(stack);
  // jiti counts columns from 0.
  if (ofJiti !== null) {
    const [, path = '', line = '', column] = ofJiti;
    return { path, line, column: String(Number(column) + 1) };
  }
  const [, location, line] = /^((?:file:\/\/|\/|[A-Za-z]:[\\/]).*):(\d+)\n/.exec(stack) ?? [];
  if (location === undefined || line === undefined) return undefined;
  const caret = /^( *)\^/m.exec(stack)?.[1]?.length;
  return { path: toPath(location), line, column: caret === undefined ? undefined : String(caret + 1) };
}

/** This file or the bundle that it is in, and the folder of the program's own code. */
const [OWN_FILE = ''] = frames(String(new Error().stack)).map(({ path }) => path);
const OWN_FOLDER = /^.*[\\/](?:src|dist)[\\/]/.exec(OWN_FILE)?.[0] ?? OWN_FILE;

function isForeign({ path }: Place): boolean {
  return path.startsWith('node:') || /[\\/]node_modules[\\/]/.test(path) || path.startsWith(OWN_FOLDER);
}

function shown({ path, line, column }: Place, folder: string): string {
  const file = relative(folder, path).replaceAll('\\', '/');
  return [file, line, ...(column === undefined ? [] : [column])].join(':');
}

function toPath(location: string): string {
  return location.startsWith('file://') ? fileURLToPath(location) : location;
}

function realpath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
