import fc from 'fast-check';
import { dumpLines, readDumpHead } from '../../../lib/sources/mariadb/sections.ts';

const DUMP = [
  '-- Holdfast: database "a`b" character set utf8mb4 collate utf8mb4_bin',
  '/*M!999999\\- enable the sandbox mode */ ',
  '-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)',
  '--', '-- Host: 127.0.0.1    Database: a`b', '-- Server version\t10.11.19-MariaDB-log', '',
  "/*!40101 SET NAMES utf8mb4 */;",
  '-- Sequence structure for `s`', 'CREATE SEQUENCE `s`;',
  '-- Table structure for table `t``1`', 'CREATE TABLE `t``1` (', '  `i` int', ');',
  '-- Dumping data for table `t``1`', "INSERT INTO `t``1` VALUES (1,'-- Table structure for table `x`\\nDELIMITER ;;');",
  '/*!50003 SET @saved_cs_client      = @@character_set_client */ ;',
  'DELIMITER ;;', '/*!50003 TRIGGER x begin', '-- Dumping data for table `not`', '-- Dump completed', 'end */;;', 'DELIMITER ;',
  '-- Temporary table structure for view `v`', '/*!50001 CREATE VIEW `v` AS SELECT', ' 1 AS `a` */;',
  "-- Dumping events for database 'a`b'", 'DELIMITER ;;', 'x ;;', 'DELIMITER ;',
  "-- Dumping routines for database 'a`b'", 'CREATE FUNCTION f;',
  '-- Final view structure for view `v`', '/*!50001 VIEW `v` */;', '',
  '-- Dump completed',
].join('\n');

async function* inPieces(text: string, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  const shared = Buffer.alloc(bytes.length + 1);
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes.length === 0 ? bytes.length : (sizes[turn % sizes.length] as number);
    // The same memory again for every piece, as those who read chunks do.
    const length = bytes.copy(shared, 0, at, at + size);
    yield shared.subarray(0, length);
    at += length;
  }
}

async function partsOf(text: string, sizes: readonly number[] = []) {
  const found: [string, string, string][] = [];
  for await (const { part, name, bytes } of dumpLines(inPieces(text, sizes))) found.push([part, name, bytes.toString()]);
  return found;
}

describe('the lines of a dump (S11)', () => {
  it('belong to the part that was named before them, and bodies of programs name nothing', async () => {
    const found = await partsOf(DUMP);
    expect([...new Set(found.map(([part, name]) => `${part} ${name}`))]).toEqual(['head ', 'sequence s', 'table t`1', 'rows t`1', 'trigger t`1', 'view v', 'events ', 'routines ', 'end ']);
    expect(found.filter(([part]) => part === 'trigger').map(([, , line]) => line)).toEqual(['/*!50003 SET @saved_cs_client      = @@character_set_client */ ;', 'DELIMITER ;;', '/*!50003 TRIGGER x begin', '-- Dumping data for table `not`', '-- Dump completed', 'end */;;', 'DELIMITER ;']);
    expect(found.filter(([part]) => part === 'rows')).toHaveLength(1);
    expect(found.at(-1)).toEqual(['end', '', '-- Dump completed']);
  });

  it('are the same however the bytes arrive', async () => {
    const whole = await partsOf(DUMP);
    await fc.assert(fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 }), async (sizes) => expect(await partsOf(DUMP, sizes)).toEqual(whole)), { numRuns: 60 });
  });

  it('tell which database it is of, and what a new one must be like', async () => {
    expect(await readDumpHead(inPieces(DUMP, [7]))).toEqual({ database: 'a`b', dumpedBy: '10.11.19', server: '10.11.19-MariaDB-log', characterSet: 'utf8mb4', collation: 'utf8mb4_bin' });
    const mysql = '-- MySQL dump 10.13  Distrib 5.7.44, for Linux (x86_64)\n--\n-- Host: h    Database: shop\n-- ------\n-- Server version\t5.7.44\n';
    expect(await readDumpHead(inPieces(mysql, []))).toEqual({ database: 'shop', dumpedBy: '5.7.44', server: '5.7.44' });
    await expect(readDumpHead(inPieces('PGDMP', []))).rejects.toMatchObject({ code: 'refused' });
  });
});
