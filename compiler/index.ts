/** The compiler as a library; the command line is a thin layer over it. */
export { compile } from './compile.ts';
export * from './compile-options.ts';
export { evaluate } from './evaluate/evaluate.ts';
export type { EvaluationOptions, EvaluationReport, EvaluationRow } from './evaluate/evaluation.ts';
export { calibrate, inspectModel, inspectPlan } from './inspect.ts';
export type { HeadCalibration } from './calibrate/calibrate-heads.ts';
export { writeCachePlanFile, type CachePlanFile } from './attention/cache-plan-file.ts';
export { compilerVersion } from './version.ts';
export { loadPackage } from './package/load-package.ts';
export { AtpcError, errorCatalogue, exitCodeOf, type ErrorCode } from '../runtime/errors.ts';
export type { Manifest } from '../runtime/format/manifest.ts';
export type { Program } from '../runtime/format/program.ts';
