/* CRC16-CCITT in its XMODEM form (polynomial 0x1021, start 0, no reflection, no final xor): the
 * hash of Redis Cluster's slots. crc16("123456789") is 0x31c3. */
#pragma once

#include "base/bytes.h"

uint16_t crc16(struct bytes bytes);
