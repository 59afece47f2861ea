import { consumerTests } from '@micro/kafka-suite'
import { subject } from './subject.ts'

await consumerTests(subject)
