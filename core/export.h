// What a shared libcairn shows: everything else is hidden.
#pragma once

#define CAIRN_API __attribute__((visibility("default")))
