/** What reads JavaScript and TypeScript: Babel's parser, and ESLint's scopes. The build packs both into one file. */
export { parse } from '@babel/parser';
export { analyze } from 'eslint-scope';
