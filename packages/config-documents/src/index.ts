/**
 * JSON, YAML and TOML as trees with the lines of their values: what config sources that hold documents
 * share.
 *
 * @packageDocumentation
 */
export {
  type DocumentKind,
  kindOfMediaType,
  kindOfName,
  type ParsedDocument,
  parseDocument,
} from './parse-document.ts'
