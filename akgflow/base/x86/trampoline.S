// A function of akgflow.verification.candidate.trampoline: it calls a check, a kernel, and another check.
//
// PyObject *function(PyObject *self, PyObject *rsi arguments, PyObject *rdx keywords or NULL)
//
// BEFORE, KERNEL, AFTER, RAISE  addresses of Python objects: the checks, the kernel, and a function that raises its
//                               argument. TUPLE, NONE: those of the type `tuple` and of None.
// PYOBJECT_CALL and so on       addresses of functions of Python's C API
//
// r12 holds the arguments and then the kernel's result, r13 the keywords, rbx what was returned last, r14 whether the
// garbage collector was on. Five registers are pushed, so that the stack is aligned to 16 bytes at each call.
        .intel_syntax noprefix

        .macro  api function
        movabs  rax, \function
        call    rax
        .endm

        .macro  collector_on label      // while a check runs, the collector could call the candidate above its frames
        test    r14d, r14d
{disp32} je     \label
        api     PYGC_ENABLE
\label:
        .endm

        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        mov     r12, rsi
        mov     r13, rdx

        api     PYGC_DISABLE
        mov     r14d, eax
        movabs  rdi, BEFORE
        mov     rsi, r12
        mov     rdx, r13
        api     PYOBJECT_CALL           // before(*arguments, **keywords)
        mov     rbx, rax
        collector_on before_done
        test    rbx, rbx
{disp32} je     failed
        movabs  rax, TUPLE
        cmp     [rbx + 8], rax          // ob_type
{disp32} jne    refused                 // what is no tuple is an exception

        movabs  rdi, KERNEL
        mov     rsi, rbx
        mov     rdx, r13
        api     PYOBJECT_CALL           // kernel(*given, **keywords)
        mov     r12, rax
        mov     rdi, rbx
        api     PY_DECREF
        test    r12, r12
{disp32} je     failed

        api     PYGC_DISABLE
        mov     r14d, eax
        movabs  rdi, AFTER
        mov     rsi, r12
        api     PYOBJECT_CALLONEARG     // after(result)
        mov     rbx, rax
        collector_on after_done
        test    rbx, rbx
{disp32} je     dropped
        movabs  rax, NONE
        cmp     rbx, rax
{disp32} jne    refused_late
        mov     rdi, rbx
        api     PY_DECREF
        mov     rax, r12
{disp32} jmp    out

refused_late:                           // the result is not needed
        mov     rdi, r12
        api     PY_DECREF
refused:                                // rbx is an exception
        movabs  rdi, RAISE
        mov     rsi, rbx
        api     PYOBJECT_CALLONEARG
        mov     rdi, rbx
        api     PY_DECREF
{disp32} jmp    failed
dropped:
        mov     rdi, r12
        api     PY_DECREF
failed:
        xor     eax, eax                // NULL: an exception is set
out:
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        ret
