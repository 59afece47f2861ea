import { groupTests } from '@micro/kafka-suite'
import { subject } from './subject.ts'

await groupTests(subject)
