/**
 * The exports of a file that the build packs as CommonJS. In an application's bundle of ES modules in several
 * chunks, they are only under `default`: https://esbuild.github.io/content-types/#default-interop
 */
export function exportsOf<Exports extends object>(
  imported: Exports & { readonly default?: Exports },
): Exports {
  return imported.default ?? imported;
}
