/** Numbers of atp-modes.md, section 2; a person may change them. */
export const calibrationDefaults = {
  /** Share of KV heads that keep every token: 16 of SmolLM2's 90. */
  guards: 0.18,
  /** Atoms of the stream that is measured. */
  measuredAtoms: 256,
  /** Atoms of the heads that stream, in the plan. */
  atoms: 128,
  /** Tokens of each text that are read. */
  tokens: 4096,
} as const;
