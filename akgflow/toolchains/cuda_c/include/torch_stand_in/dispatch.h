// PyTorch's macros that choose the instance of a template by an element type.
#pragma once

#define AT_DISPATCH_SWITCH(type_, what, ...)                                                                 \
  [&] {                                                                                                      \
    const ::c10::ScalarType akgflow_type = (type_);                                                          \
    switch (akgflow_type) {                                                                                  \
      __VA_ARGS__                                                                                            \
      default: throw ::c10::Error(::c10::str('"', what, "\" not implemented for '", akgflow_type, "'"));     \
    }                                                                                                        \
  }()
#define AT_PRIVATE_CASE_TYPE_USING_HINT(type_, hint, ...)                                                    \
  case type_: {                                                                                              \
    using hint [[maybe_unused]] = ::c10::ScalarTypeToCPPTypeT<type_>;                                        \
    return __VA_ARGS__();                                                                                    \
  }
#define AT_DISPATCH_CASE(type_, ...) AT_PRIVATE_CASE_TYPE_USING_HINT(type_, scalar_t, __VA_ARGS__)

#define AT_DISPATCH_CASE_FLOATING_TYPES(...) \
  AT_DISPATCH_CASE(::c10::ScalarType::Double, __VA_ARGS__) AT_DISPATCH_CASE(::c10::ScalarType::Float, __VA_ARGS__)
#define AT_DISPATCH_CASE_FLOATING_TYPES_AND_HALF(...) AT_DISPATCH_CASE_FLOATING_TYPES_AND(::c10::ScalarType::Half, __VA_ARGS__)
#define AT_DISPATCH_CASE_FLOATING_TYPES_AND(a, ...) \
  AT_DISPATCH_CASE_FLOATING_TYPES(__VA_ARGS__) AT_DISPATCH_CASE(a, __VA_ARGS__)
#define AT_DISPATCH_CASE_FLOATING_TYPES_AND2(a, b, ...) \
  AT_DISPATCH_CASE_FLOATING_TYPES_AND(a, __VA_ARGS__) AT_DISPATCH_CASE(b, __VA_ARGS__)
#define AT_DISPATCH_CASE_FLOATING_TYPES_AND3(a, b, c, ...) \
  AT_DISPATCH_CASE_FLOATING_TYPES_AND2(a, b, __VA_ARGS__) AT_DISPATCH_CASE(c, __VA_ARGS__)
#define AT_DISPATCH_CASE_REDUCED_FLOATING_TYPES(...) \
  AT_DISPATCH_CASE(::c10::ScalarType::Half, __VA_ARGS__) AT_DISPATCH_CASE(::c10::ScalarType::BFloat16, __VA_ARGS__)
#define AT_DISPATCH_CASE_INTEGRAL_TYPES(...)                                                                          \
  AT_DISPATCH_CASE(::c10::ScalarType::Byte, __VA_ARGS__) AT_DISPATCH_CASE(::c10::ScalarType::Char, __VA_ARGS__)       \
  AT_DISPATCH_CASE(::c10::ScalarType::Int, __VA_ARGS__) AT_DISPATCH_CASE(::c10::ScalarType::Long, __VA_ARGS__)        \
  AT_DISPATCH_CASE(::c10::ScalarType::Short, __VA_ARGS__)
#define AT_DISPATCH_CASE_INTEGRAL_TYPES_AND(a, ...) \
  AT_DISPATCH_CASE_INTEGRAL_TYPES(__VA_ARGS__) AT_DISPATCH_CASE(a, __VA_ARGS__)
#define AT_DISPATCH_CASE_ALL_TYPES(...) \
  AT_DISPATCH_CASE_INTEGRAL_TYPES(__VA_ARGS__) AT_DISPATCH_CASE_FLOATING_TYPES(__VA_ARGS__)
#define AT_DISPATCH_CASE_ALL_TYPES_AND(a, ...) AT_DISPATCH_CASE_ALL_TYPES(__VA_ARGS__) AT_DISPATCH_CASE(a, __VA_ARGS__)
#define AT_DISPATCH_CASE_ALL_TYPES_AND2(a, b, ...) \
  AT_DISPATCH_CASE_ALL_TYPES_AND(a, __VA_ARGS__) AT_DISPATCH_CASE(b, __VA_ARGS__)
#define AT_DISPATCH_CASE_ALL_TYPES_AND3(a, b, c, ...) \
  AT_DISPATCH_CASE_ALL_TYPES_AND2(a, b, __VA_ARGS__) AT_DISPATCH_CASE(c, __VA_ARGS__)

#define AT_DISPATCH_FLOATING_TYPES(type_, what, ...) \
  AT_DISPATCH_SWITCH(type_, what, AT_DISPATCH_CASE_FLOATING_TYPES(__VA_ARGS__))
#define AT_DISPATCH_FLOATING_TYPES_AND_HALF(type_, what, ...) \
  AT_DISPATCH_SWITCH(type_, what, AT_DISPATCH_CASE_FLOATING_TYPES_AND_HALF(__VA_ARGS__))
#define AT_DISPATCH_FLOATING_TYPES_AND(a, type_, what, ...) \
  AT_DISPATCH_SWITCH(type_, what, AT_DISPATCH_CASE_FLOATING_TYPES_AND(a, __VA_ARGS__))
#define AT_DISPATCH_FLOATING_TYPES_AND2(a, b, type_, what, ...) \
  AT_DISPATCH_SWITCH(type_, what, AT_DISPATCH_CASE_FLOATING_TYPES_AND2(a, b, __VA_ARGS__))
#define AT_DISPATCH_FLOATING_TYPES_AND3(a, b, c, type_, what, ...) \
  AT_DISPATCH_SWITCH(type_, what, AT_DISPATCH_CASE_FLOATING_TYPES_AND3(a, b, c, __VA_ARGS__))
#define AT_DISPATCH_REDUCED_FLOATING_TYPES(type_, what, ...) \
  AT_DISPATCH_SWITCH(type_, what, AT_DISPATCH_CASE_REDUCED_FLOATING_TYPES(__VA_ARGS__))
#define AT_DISPATCH_INTEGRAL_TYPES(type_, what, ...) \
  AT_DISPATCH_SWITCH(type_, what, AT_DISPATCH_CASE_INTEGRAL_TYPES(__VA_ARGS__))
#define AT_DISPATCH_INTEGRAL_TYPES_AND(a, type_, what, ...) \
  AT_DISPATCH_SWITCH(type_, what, AT_DISPATCH_CASE_INTEGRAL_TYPES_AND(a, __VA_ARGS__))
#define AT_DISPATCH_ALL_TYPES(type_, what, ...) AT_DISPATCH_SWITCH(type_, what, AT_DISPATCH_CASE_ALL_TYPES(__VA_ARGS__))
#define AT_DISPATCH_ALL_TYPES_AND(a, type_, what, ...) \
  AT_DISPATCH_SWITCH(type_, what, AT_DISPATCH_CASE_ALL_TYPES_AND(a, __VA_ARGS__))
#define AT_DISPATCH_ALL_TYPES_AND2(a, b, type_, what, ...) \
  AT_DISPATCH_SWITCH(type_, what, AT_DISPATCH_CASE_ALL_TYPES_AND2(a, b, __VA_ARGS__))
#define AT_DISPATCH_ALL_TYPES_AND3(a, b, c, type_, what, ...) \
  AT_DISPATCH_SWITCH(type_, what, AT_DISPATCH_CASE_ALL_TYPES_AND3(a, b, c, __VA_ARGS__))
#define AT_DISPATCH_INDEX_TYPES(type_, what, ...)                                                                \
  AT_DISPATCH_SWITCH(type_, what,                                                                                \
                     AT_PRIVATE_CASE_TYPE_USING_HINT(::c10::ScalarType::Int, index_t, __VA_ARGS__)               \
                     AT_PRIVATE_CASE_TYPE_USING_HINT(::c10::ScalarType::Long, index_t, __VA_ARGS__))

// AT_DISPATCH_V2(type, name, AT_WRAP(body), types…): the list of types comes last.
#define AT_WRAP(...) __VA_ARGS__
#define AT_EXPAND(list) list
#define AT_FLOATING_TYPES ::c10::ScalarType::Double, ::c10::ScalarType::Float
#define AT_INTEGRAL_TYPES \
  ::c10::ScalarType::Byte, ::c10::ScalarType::Char, ::c10::ScalarType::Int, ::c10::ScalarType::Long, ::c10::ScalarType::Short
#define AT_ALL_TYPES AT_INTEGRAL_TYPES, AT_FLOATING_TYPES
#define AKGFLOW_SCAN1(...) AKGFLOW_SCAN2(AKGFLOW_SCAN2(AKGFLOW_SCAN2(__VA_ARGS__)))
#define AKGFLOW_SCAN2(...) AKGFLOW_SCAN3(AKGFLOW_SCAN3(AKGFLOW_SCAN3(__VA_ARGS__)))
#define AKGFLOW_SCAN3(...) __VA_ARGS__
#define AKGFLOW_PARENS ()
#define AKGFLOW_EACH(body, ...) __VA_OPT__(AKGFLOW_SCAN1(AKGFLOW_NEXT(body, __VA_ARGS__)))
#define AKGFLOW_NEXT(body, type_, ...) \
  AT_DISPATCH_CASE(type_, AKGFLOW_BARE body) __VA_OPT__(AKGFLOW_AGAIN AKGFLOW_PARENS(body, __VA_ARGS__))
#define AKGFLOW_AGAIN() AKGFLOW_NEXT
#define AKGFLOW_BARE(...) __VA_ARGS__
#define AKGFLOW_V2(type_, what, body, ...) AT_DISPATCH_SWITCH(type_, what, AKGFLOW_EACH(body, __VA_ARGS__))
#define AT_DISPATCH_V2(type_, what, body, ...) AKGFLOW_V2(type_, what, (body), __VA_ARGS__)
