/** A compiled JSON Schema, as ajv makes it: true, or false with `errors` set. */
export interface Validator {
  (value: unknown): boolean;
  errors?: null | readonly { readonly instancePath: string; readonly message?: string }[];
}
/** The validators that `load` needs. They are compiled to plain code when the runtime is bundled. */
export interface Validators {
  readonly manifest: Validator;
  readonly program: Validator;
}
