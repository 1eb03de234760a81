/** Prints, as JSON, the C compiler of this machine and what its processor has: for who cannot wait for them (native-compiler.ts). */
import { findCCompiler } from '../compiler/codegen/native/find-c-compiler.ts';
import { featuresOfProcessor } from '../compiler/codegen/native/processor-features.ts';

const compiler = await findCCompiler();
process.stdout.write(JSON.stringify({ compiler, features: (compiler && (await featuresOfProcessor(compiler))) ?? [] }));
