;; a resource is defined in a type
(component binary "\00asm\0d\00\01\00\07\07\01\42\01\01\3f\7f\00")
