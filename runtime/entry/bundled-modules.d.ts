/** Modules that are made when the runtime is bundled (compiler/package/runtime-bundle.ts). */

/** The validators of the package formats, compiled to plain code. */
declare module 'atpc:validators' {
  type Validator = import('../format/validators.ts').Validator;
  export const manifest: Validator;
  export const program: Validator;
}
/** The browser cache, in packages that have it. */
declare module 'atpc:cache' {
  type CacheFeature = import('../cache/feature.ts').CacheFeature;
  type OpenWeights = import('../backends/worker/server.ts').OpenWeights;
  export const cacheFeature: CacheFeature | undefined;
  export const openWeights: OpenWeights | undefined;
}
/** The code for the targets of the package (compiler/package/target-entries.ts). */
declare module 'atpc:targets' {
  export const targetSupport: import('../backends/targets.ts').TargetSupport;
}
/** What index.js exports besides `load` and AtpcError. */
declare module 'atpc:exports' {}
