import { basename } from 'node:path'
import { jsonSchemaOf, type SchemaLeaf, schemaView } from '@micro/core/schema'
import type { FlagHelpOptions } from './options.ts'
import { flagOf } from './spelling.ts'

/**
 * The text of `--help`: each flag with its type, default and description.
 *
 * @throws `unimplemented` for a schema that cannot be read as JSON Schema.
 */
export function flagHelp(options: FlagHelpOptions): string {
  const { schema, program = basename(process.argv[1] ?? 'program'), description } = options
  // Says why, where a view would know nothing.
  jsonSchemaOf(schema)
  const lines = schemaView(schema)
    .leaves()
    .map((leaf) => [`${flagOf(leaf.keys)}${sampleOf(leaf)}`, aboutOf(leaf)] as const)
  lines.push(['--help', 'Shows this.'])
  // Flags that are much longer than most have their text on the next line.
  const width = Math.min(40, Math.max(...lines.map(([flag]) => flag.length)))
  const body = lines.map(([flag, about]) =>
    flag.length > width
      ? `  ${flag}\n  ${' '.repeat(width)}  ${about}`
      : `  ${flag.padEnd(width)}  ${about}`,
  )
  const intro = description === undefined ? [] : [description, '']
  return [
    `Usage: ${program} [flags]`,
    '',
    ...intro,
    ...body.map((line) => line.trimEnd()),
    '',
  ].join('\n')
}

function sampleOf({ types, itemTypes, choices }: SchemaLeaf): string {
  if (choices.length > 0) return `=${choices.map(String).join('|')}`
  if (types.has('boolean')) return ''
  if (types.has('array')) return `=<${[...itemTypes].join('|') || 'value'},…>`
  const named = [...types].filter((type) => type !== 'null')
  return `=<${named.join('|') || 'value'}>`
}

function aboutOf({ description, default: fallback, required, types }: SchemaLeaf): string {
  const parts = [
    ...(description === undefined ? [] : [description.replace(/\s+/g, ' ')]),
    ...(types.has('boolean') ? ['(--no-… for off)'] : []),
    ...(fallback === undefined ? [] : [`(default: ${JSON.stringify(fallback)})`]),
    ...(required ? ['(required)'] : []),
  ]
  return parts.join(' ')
}
