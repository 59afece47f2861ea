import { migrate, printSchema, type Schema } from '@micro/sql-client'
import { describe, expect, test } from 'vitest'
import { expectCode, open, postgres } from './support.ts'

const schemaOf = (table: string, steps: number): Schema => ({
  table,
  printedBy: 'testSchema',
  steps: [
    () => [`CREATE TABLE ${table}_a (n integer)`],
    () => [`ALTER TABLE ${table}_a ADD COLUMN m integer`],
  ].slice(0, steps),
})

describe.skipIf(postgres === undefined)('migrations', () => {
  test('many at once take each step once', async () => {
    const databases = Array.from({ length: 6 }, () => open())
    const schema = schemaOf('many', 2)
    await Promise.all(databases.map((database) => migrate(database, schema, { apply: true })))
    const { rows } = await open().query({ text: 'SELECT version FROM many_schema ORDER BY 1' }, [])
    expect(rows).toEqual([['1'], ['2']])
  })

  test('only what is new is done, and what is newer is left alone', async () => {
    const database = open()
    await migrate(database, schemaOf('later', 1), { apply: true })
    await migrate(database, schemaOf('later', 2), { apply: true })
    await database.query({ text: 'INSERT INTO later_a (n, m) VALUES (1, 2)' }, [])
    await migrate(database, schemaOf('later', 1), { apply: true })
    await migrate(database, schemaOf('later', 1), { apply: false })
  })

  test('without leave to make tables it says what to run, and needs no more than that', async () => {
    const database = open()
    const schema = schemaOf('byhand', 2)
    const error = await expectCode(
      migrate(database, schema, { apply: false }),
      'failed_precondition',
    )
    expect(error.detail).toContain('testSchema({ from: 0 })')
    await database.query({ text: printSchema(schema, 'postgresql') }, [])
    await migrate(database, schema, { apply: false })
  })

  test('a step that fails leaves nothing behind', async () => {
    const database = open()
    const good = schemaOf('broken', 1)
    const bad: Schema = { ...good, steps: [...good.steps, () => ['SELECT broken!']] }
    await expectCode(migrate(database, bad, { apply: true }), 'internal')
    await migrate(database, good, { apply: true })
  })

  test('who may not make tables is told so', async () => {
    const admin = open()
    await admin.query({ text: 'CREATE ROLE reader LOGIN' }, [])
    const reader = open({
      connectionString: `postgres://reader@127.0.0.1:${postgres?.port}/postgres`,
    })
    await expectCode(migrate(reader, schemaOf('denied', 1), { apply: true }), 'permission_denied')
  })

  test('a printed schema begins where it is told to', () => {
    const schema = schemaOf('printed', 2)
    expect(printSchema(schema, 'postgresql')).toContain('CREATE TABLE printed_a')
    expect(printSchema(schema, 'postgresql', 1)).not.toContain('CREATE TABLE printed_a')
    expect(() => printSchema(schema, 'postgresql', 3)).toThrow('from')
  })
})
