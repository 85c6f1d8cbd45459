// Marks what a shared libcairn exports; everything else is hidden.
#pragma once

#define CAIRN_API __attribute__((visibility("default")))
