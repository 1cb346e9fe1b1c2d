// The objects of guestlib/ as bytes of cusp-compile.
        .section .rodata
        .globl cusp_guestlib_x86_64, cusp_guestlib_x86_64_end, cusp_guestlib_x86_64_v3, cusp_guestlib_x86_64_v3_end
        .hidden cusp_guestlib_x86_64, cusp_guestlib_x86_64_end, cusp_guestlib_x86_64_v3, cusp_guestlib_x86_64_v3_end
        .balign 16
cusp_guestlib_x86_64:
        .incbin "guestlib-x86-64.o"
cusp_guestlib_x86_64_end:
        .balign 16
cusp_guestlib_x86_64_v3:
        .incbin "guestlib-x86-64-v3.o"
cusp_guestlib_x86_64_v3_end:
        .section .note.GNU-stack,"",@progbits
