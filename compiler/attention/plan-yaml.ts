import { Document, visit } from 'yaml';

/** A plan file as YAML that a person can read and edit: one line for what has a mode; a layer with heads spans several. */
export function planYaml(file: object): string {
  const document = new Document(file);
  visit(document, { Map: (_, map) => void (map.flow = map.has('mode')) });
  return document.toString({ lineWidth: 120, flowCollectionPadding: true });
}
