import {
  type CreateNodeOptions,
  type DocumentOptions,
  type SchemaOptions,
  stringify,
  type ToStringOptions,
} from 'yaml'
import { binary, exactText, floatOnly, textTag } from './tags.ts'

/** The text of plain data, laid out for people. */
export function write(value: unknown): string {
  return stringify(value, options)
}

const options: DocumentOptions & SchemaOptions & CreateNodeOptions & ToStringOptions = {
  schema: 'core',
  version: '1.2',
  // Readers of YAML 1.1 are many: what they would take for a boolean or date is quoted.
  compat: 'yaml-1.1',
  customTags: (tags) => [
    floatOnly,
    ...tags.map((tag) =>
      typeof tag === 'object' && tag.tag === textTag && tag.collection === undefined
        ? exactText(tag)
        : tag,
    ),
    binary,
  ],
  aliasDuplicateObjects: false,
  lineWidth: 0,
}
