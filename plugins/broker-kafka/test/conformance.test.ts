import { brokerConformance } from '@micro/conformance/broker'
import { conformers } from '@micro/kafka-suite'
import { describe } from 'vitest'
import { subject } from './subject.ts'

const { isThere, create, crash } = await conformers(subject)

describe.skipIf(!isThere)('a real Kafka', () => {
  brokerConformance({ name: 'kafka', create, crash })
})
