import type { InterfaceDeclarationStructure, OptionalKind, SourceFile } from 'ts-morph';
import { errorCatalogue } from '../../runtime/errors.ts';
import type { SizeExpression } from '../../runtime/format/expression.ts';
import type { Manifest, ManifestPort } from '../../runtime/format/manifest.ts';
import type { RuntimeFeatures } from './runtime-bundle.ts';

const inputTypes: { readonly [K in ManifestPort['elementType']]: string } = {
  f32: 'FloatInput',
  i32: 'IntegerInput',
  bool: 'BooleanInput',
};
const outputTypes: { readonly [K in ManifestPort['elementType']]: string } = {
  f32: 'FloatTensor',
  i32: 'IntegerTensor',
  bool: 'BooleanTensor',
};

/** Text of index.d.ts: the runtime's types, and the ports of this package by name and type. */
export async function declarationsOf(
  manifest: Pick<Manifest, 'name' | 'inputs' | 'outputs' | 'dims' | 'targets'>,
  runtimeTypes: string,
  { browserCache = false }: RuntimeFeatures = {},
): Promise<string> {
  const { IndentationText, Project } = await import('ts-morph');
  const project = new Project({
    useInMemoryFileSystem: true,
    skipLoadingLibFiles: true,
    manipulationSettings: { indentationText: IndentationText.TwoSpaces },
  });
  const file = project.createSourceFile('index.d.ts', runtimeTypes);
  narrowBackend(file, manifest.targets);
  const limits = manifest.dims.map((dim) => `${dim.name} ${dim.min} to ${dim.max}`).join(', ');

  file.addInterface({
    isExported: true,
    name: 'Inputs',
    docs: [`What the model takes${limits === '' ? '' : `; ${limits}`}.`],
    properties: manifest.inputs.map((port) => ({
      name: propertyName(port.name),
      isReadonly: true,
      hasQuestionToken: port.default !== undefined,
      type: port.default === undefined ? inputTypes[port.elementType] : `${inputTypes[port.elementType]} | undefined`,
      docs: [describePort(port)],
    })),
  });
  file.addInterface(outputsInterface(manifest.outputs));
  file.addTypeAlias({
    isExported: true,
    name: 'ErrorCode',
    type: Object.keys(errorCatalogue)
      .map((code) => `'${code}'`)
      .join(' | '),
  });
  file.addClass({
    isExported: true,
    hasDeclareKeyword: true,
    name: 'AtpcError',
    docs: ['The error of every refusal: a stable code, a sentence, and what to do about it.'],
    extends: 'Error',
    properties: [
      { name: 'code', isReadonly: true, type: 'ErrorCode' },
      { name: 'hint', isReadonly: true, type: 'string | undefined' },
    ],
  });
  file.addFunction({
    isExported: true,
    hasDeclareKeyword: true,
    name: 'load',
    docs: [`Loads the model '${manifest.name}': verifies its files, starts its worker and runs its self-test.`],
    parameters: [{ name: 'options', hasQuestionToken: true, type: 'LoadOptions' }],
    returnType: 'Promise<Model<Inputs, Outputs>>',
  });
  if (browserCache) {
    file.addFunction({
      isExported: true,
      hasDeclareKeyword: true,
      name: 'deleteCached',
      docs: [
        'Deletes what the option `cache` of `load` has stored of this package, and of those that lay there before. In browsers.',
      ],
      parameters: [{ name: 'options', hasQuestionToken: true, type: 'DeleteCachedOptions' }],
      returnType: 'Promise<void>',
    });
  }
  return file.getFullText();
}

/** What `load` may be asked for: the targets of the package. */
function narrowBackend(file: SourceFile, targets: Manifest['targets']): void {
  const backend = file.getInterfaceOrThrow('LoadOptions').getPropertyOrThrow('backend');
  backend.setType(['auto', ...targets.map(({ name }) => name)].map((name) => `'${name}'`).join(' | '));
  if (targets.length > 1) return;
  for (const comment of backend.getJsDocs()) comment.remove();
  backend.addJsDoc(`The package has kernels for ${targets[0]?.name ?? 'nothing'} alone.`);
}

function outputsInterface(outputs: readonly ManifestPort[]): OptionalKind<InterfaceDeclarationStructure> {
  return {
    isExported: true,
    name: 'Outputs',
    docs: ['What the model gives.'],
    properties: outputs.map((port) => ({
      name: propertyName(port.name),
      isReadonly: true,
      type: outputTypes[port.elementType],
      docs: [describePort(port)],
    })),
  };
}

const propertyName = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));

/** `i32[batch, seq], 0 where it is left out`. */
export function describePort(port: ManifestPort): string {
  const shape = `${port.elementType}[${port.shape.map(formatSize).join(', ')}]`;
  const ids = port.vocabulary === undefined ? '' : `, ids from 0 to ${port.vocabulary - 1}`;
  return `${shape}${ids}${port.default === undefined ? '' : `, ${port.default} where it is left out`}`;
}
/** An expression as JavaScript would write it, with `ceil(a / b)` and `floor(a / b)`. */
export function formatSize(size: SizeExpression): string {
  if (typeof size !== 'object') return String(size);
  const [operator, left, right] = [size[0], formatSize(size[1]), formatSize(size[2])];
  switch (operator) {
    case '+':
      return `(${left} + ${right})`;
    case '*':
      return `${left} * ${right}`;
    case 'floor/':
    case 'ceil/':
      return `${operator.slice(0, -1)}(${left} / ${right})`;
    case 'min':
    case 'max':
      return `${operator}(${left}, ${right})`;
  }
}
