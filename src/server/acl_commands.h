/* The part of ACL that has a meaning with one user: WHOAMI, CAT. */
#pragma once

#include "commands/command.h"

extern const struct command acl_commands[];
