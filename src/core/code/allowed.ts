/**
 * All that a migration's code may use of JavaScript and Node without its statements depending on when or where it
 * runs. What is not listed is refused. A name of one of Node's modules stands after `node:`.
 */

/** May be passed on, called, or asked for any of its members. */
const ANYWHERE = names(`
  undefined NaN Infinity isNaN isFinite parseInt parseFloat encodeURIComponent decodeURIComponent
  encodeURI decodeURI structuredClone queueMicrotask exports module.exports
  console.* JSON.* Number.* String.* BigInt.*
  Math.E Math.PI Math.abs Math.ceil Math.floor Math.round Math.trunc Math.max Math.min Math.pow Math.sqrt Math.sign
  Math.log Math.log2 Math.log10
  Array.isArray Array.from Array.of Date.UTC
  Object.keys Object.values Object.entries Object.fromEntries Object.assign Object.freeze Object.isFrozen
  Object.create Object.defineProperty Object.hasOwn Object.getOwnPropertyNames Object.is Object.groupBy
  Object.prototype.hasOwnProperty Map.groupBy
  Promise.resolve Promise.reject Promise.all Promise.allSettled
  Symbol.iterator Symbol.asyncIterator Symbol.toPrimitive Symbol.toStringTag Symbol.for
  Buffer.from Buffer.alloc Buffer.concat Buffer.byteLength Buffer.isBuffer
  node:path.join node:path.dirname node:path.basename node:path.extname node:path.normalize node:path.parse
  node:path.format node:path.sep node:path.isAbsolute node:url.fileURLToPath
  node:url.pathToFileURL node:url.URL node:crypto.createHash node:crypto.createHmac`);

/** May be called, constructed and compared with: by itself it shows nothing. */
const CALLED = names(`
  Array Object String Number Boolean BigInt Symbol RegExp Map Set WeakMap WeakSet Promise
  Error TypeError RangeError SyntaxError ReferenceError AggregateError URL URLSearchParams TextEncoder TextDecoder
  Uint8Array`);

/** May be passed on as a function: `.map(String)`. */
const PASSED = names('String Number Boolean BigInt');

/** The same for as long as a process lives. Dates depend on its time zone, the order of words on its locale. */
const FIXED = names(
  'process.env.* process.platform process.arch process.version process.versions.* Intl.* node:os.EOL',
);

/** Where a file is: harmless in the name of a file that is read, since what it holds is what counts. */
export const LOCATIONS = names(
  '__dirname __filename import.meta.url import.meta.dirname import.meta.filename',
);

/** Read a file, whose name must be known. */
export const READS = names('node:fs.readFileSync node:fs.existsSync');

/** Members of any object by which code reaches what its names do not show. */
export const REFUSED_MEMBERS = names(
  'constructor __proto__ prototype caller callee stack __defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__',
);

/** Methods that depend on the locale. */
export const FIXED_MEMBERS = names(
  'localeCompare toLocaleString toLocaleDateString toLocaleTimeString toLocaleLowerCase toLocaleUpperCase',
);

/** Methods that change their object. */
export const CHANGES = names(`
  push pop shift unshift splice sort reverse fill copyWithin set add delete clear append next return throw
  write writeUInt8 lastIndex`);

/** Packages of which only the types, or what is handed to a migration anyway, may be used. */
export const TYPES_ONLY = names('knex');

export type Use = 'called' | 'passed' | 'other';

/** What using the name means. @param use how it stands in the code, if no member of it is asked for */
export function judgeName(name: string, use: Use): 'pure' | 'fixed' | 'varying' {
  const parts = name.split('.');
  for (let length = parts.length; length > 0; length -= 1) {
    const prefix = parts.slice(0, length).join('.');
    const isWild = length < parts.length;
    if (ANYWHERE.has(prefix) || (isWild && ANYWHERE.has(`${prefix}.*`))) return 'pure';
    if (FIXED.has(prefix) || (isWild && FIXED.has(`${prefix}.*`))) return 'fixed';
  }
  const isHarmless = (use === 'called' && CALLED.has(name)) || (use === 'passed' && PASSED.has(name));
  return isHarmless ? 'pure' : 'varying';
}

function names(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
