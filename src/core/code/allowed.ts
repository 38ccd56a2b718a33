/**
 * All that a migration's code may use of JavaScript and Node without its statements depending on when or where it
 * runs. What is not listed is refused. A name of one of Node's modules stands after `node:`.
 */

/** May be used in any way, with all members that are named `.*`. */
const PURE = names(`
  undefined NaN Infinity isNaN isFinite parseInt parseFloat
  encodeURIComponent decodeURIComponent encodeURI decodeURI
  exports module.exports JSON.* Number.* String.* BigInt.*
  console.log console.info console.warn console.error console.debug console.trace console.table console.dir
  console.group console.groupEnd console.time console.timeEnd console.timeLog console.count console.assert
  Math.E Math.PI Math.abs Math.ceil Math.floor Math.round Math.trunc Math.max Math.min Math.pow Math.sqrt Math.sign
  Math.log Math.log2 Math.log10 Array.isArray Array.from Array.of Date.UTC Date.parse Symbol.for
  Object.keys Object.values Object.entries Object.fromEntries Object.freeze
  Object.prototype.hasOwnProperty.call Object.prototype.toString.call
  Object.create Object.hasOwn Object.getOwnPropertyNames Object.is Object.groupBy
  Map.groupBy Promise.resolve Promise.reject Promise.all Promise.allSettled
  node:path.join node:path.dirname node:path.basename node:path.extname node:path.normalize node:path.parse
  node:path.format node:path.sep node:path.isAbsolute node:url.fileURLToPath
  node:crypto.createHash`);

/** May be called and constructed, and stand after `instanceof`, but not be handed on. */
const CALLED = names(`
  Array Object String Number Boolean BigInt Symbol RegExp Map Set WeakMap WeakSet Promise Error TypeError RangeError
  SyntaxError ReferenceError AggregateError Object.assign Object.defineProperty`);

/** May be passed on as functions: `.map(String)`. */
const PASSED = names('String Number Boolean BigInt');

/** Where a module is. Harmless in the name of a file that is read: its content is what counts. */
export const LOCATIONS = names(
  '__dirname __filename import.meta.url import.meta.dirname import.meta.filename',
);

/** Functions of lodash that only look at what they are given, call back at once, and keep nothing. */
const LODASH = names(`
  camelCase capitalize castArray chunk clamp compact concat countBy difference differenceBy drop dropRight each endsWith
  escape every filter find findIndex findKey findLast findLastIndex first flatMap flatten flattenDeep flattenDepth
  forEach fromPairs get groupBy has head identity inRange includes indexOf initial intersection intersectionBy invert isArray
  isBoolean isDate isEmpty isEqual isFinite isFunction isInteger isNaN isNil isNull isNumber isObject isPlainObject
  isString isUndefined join kebabCase keyBy keys last lowerCase lowerFirst map mapKeys mapValues max maxBy mean meanBy
  min minBy nth omit omitBy orderBy pad padEnd padStart partition pick pickBy range reduce reduceRight reject repeat
  size slice snakeCase some sortBy split startCase startsWith sum sumBy tail take takeRight times toArray toNumber
  toPairs toString trim trimEnd trimStart truncate union unionBy uniq uniqBy uniqWith upperCase upperFirst values
  without words xor zip zipObject`);

/** Packages of which some functions may be used. A process loads them once, from a place that is not examined. */
export const PACKAGES: readonly string[] = ['lodash', 'lodash-es', 'dotenv'];

/** May be called at the top level of a module: it runs once in a process, for all tenants. */
export const ONCE = names(`
  Date Date.now Math.random crypto.randomUUID node:crypto.randomUUID process.cwd node:process.cwd node:path.resolve
  package:dotenv.config`);

/** Stays the same as long as a process lives. */
const FIXED = new Set([
  'process.env.*',
  ...LOCATIONS,
  ...['lodash', 'lodash-es'].flatMap((name) =>
    [...LODASH].flatMap((member) => ['.', '/'].map((sign) => `package:${name}${sign}${member}`)),
  ),
]);

/** Reads a file, whose name must be a constant. */
export const READS = names('node:fs.readFileSync node:fs.existsSync');

/**
 * Members of any object that lead to what no name shows, that all modules share, that Knex makes at random, or that
 * depend on the place of the program.
 */
export const REFUSED_MEMBERS = names(`
  constructor __proto__ prototype caller callee
  __defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__ __knexUid __knexQueryUid __knexTxId stack`);

/** Members of any object that depend on the locale or the time zone, which a process keeps. */
export const FIXED_MEMBERS = names(`
  localeCompare toLocaleString toLocaleDateString toLocaleTimeString toLocaleLowerCase toLocaleUpperCase`);

/** Members that JavaScript calls by itself, unseen. */
export const UNSEEN_CALLS = names('then valueOf toString toJSON');

/** Methods that change their object. */
export const CHANGES = names(`
  push pop shift unshift splice sort reverse fill copyWithin add delete clear append getOrInsert getOrInsertComputed
  next write copy`);

/** Methods that call their first argument while they run, or once, and do not keep it. */
export const CALL_BACK = names(`
  forEach map filter flatMap some every find findIndex findLast findLastIndex reduce reduceRight then catch finally
  transaction createTable alterTable`);

/** Those that do so with their second argument, too. */
export const CALL_BACK_SECOND = names('then createTable alterTable');

/** Methods that make a list of their own. A slice of bytes shares them. */
export const MAKE_LISTS = names('map filter flatMap concat flat split toSorted toReversed toSpliced');

/** Functions that make an object of their own. */
export const MAKE_OBJECTS = names(
  'Object.keys Object.values Object.entries Object.fromEntries Array.from Array.of JSON.parse',
);

export type Use = 'called' | 'constructed' | 'passed' | 'other';

/** What the use of a name means. @param use how it stands in the code, if no member of it is asked for */
export function judgeName(name: string, use: Use): 'pure' | 'fixed' | 'varying' {
  const parts = name.split('.');
  const isIn = (list: ReadonlySet<string>) =>
    parts.some((_, index) => {
      const prefix = parts.slice(0, index + 1).join('.');
      return list.has(prefix) || (index + 1 < parts.length && list.has(`${prefix}.*`));
    });
  if (isIn(PURE)) return 'pure';
  if (isIn(FIXED)) return 'fixed';
  if (use === 'passed') return PASSED.has(name) ? 'pure' : 'varying';
  // Without an argument, a Date is the current time; without new, it always is.
  if (use === 'constructed' && name === 'Date') return 'pure';
  return use !== 'other' && CALLED.has(name) ? 'pure' : 'varying';
}

function names(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
