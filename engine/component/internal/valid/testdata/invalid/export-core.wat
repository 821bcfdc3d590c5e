;; a core function is nothing that components import or export
(component binary "\00asm\0d\00\01\00\0b\08\01\00\01f\00\00\00\00")
