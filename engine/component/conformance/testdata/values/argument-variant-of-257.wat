;; variant: values of variant of 257 arrive as they were sent
;; returns
(component
  (component $Callee
    (type $d0 (variant (case "n0") (case "n1") (case "n2") (case "n3") (case "n4") (case "n5") (case "n6") (case "n7") (case "n8") (case "n9") (case "n10") (case "n11") (case "n12") (case "n13") (case "n14") (case "n15") (case "n16") (case "n17") (case "n18") (case "n19") (case "n20") (case "n21") (case "n22") (case "n23") (case "n24") (case "n25") (case "n26") (case "n27") (case "n28") (case "n29") (case "n30") (case "n31") (case "n32") (case "n33") (case "n34") (case "n35") (case "n36") (case "n37") (case "n38") (case "n39") (case "n40") (case "n41") (case "n42") (case "n43") (case "n44") (case "n45") (case "n46") (case "n47") (case "n48") (case "n49") (case "n50") (case "n51") (case "n52") (case "n53") (case "n54") (case "n55") (case "n56") (case "n57") (case "n58") (case "n59") (case "n60") (case "n61") (case "n62") (case "n63") (case "n64") (case "n65") (case "n66") (case "n67") (case "n68") (case "n69") (case "n70") (case "n71") (case "n72") (case "n73") (case "n74") (case "n75") (case "n76") (case "n77") (case "n78") (case "n79") (case "n80") (case "n81") (case "n82") (case "n83") (case "n84") (case "n85") (case "n86") (case "n87") (case "n88") (case "n89") (case "n90") (case "n91") (case "n92") (case "n93") (case "n94") (case "n95") (case "n96") (case "n97") (case "n98") (case "n99") (case "n100") (case "n101") (case "n102") (case "n103") (case "n104") (case "n105") (case "n106") (case "n107") (case "n108") (case "n109") (case "n110") (case "n111") (case "n112") (case "n113") (case "n114") (case "n115") (case "n116") (case "n117") (case "n118") (case "n119") (case "n120") (case "n121") (case "n122") (case "n123") (case "n124") (case "n125") (case "n126") (case "n127") (case "n128") (case "n129") (case "n130") (case "n131") (case "n132") (case "n133") (case "n134") (case "n135") (case "n136") (case "n137") (case "n138") (case "n139") (case "n140") (case "n141") (case "n142") (case "n143") (case "n144") (case "n145") (case "n146") (case "n147") (case "n148") (case "n149") (case "n150") (case "n151") (case "n152") (case "n153") (case "n154") (case "n155") (case "n156") (case "n157") (case "n158") (case "n159") (case "n160") (case "n161") (case "n162") (case "n163") (case "n164") (case "n165") (case "n166") (case "n167") (case "n168") (case "n169") (case "n170") (case "n171") (case "n172") (case "n173") (case "n174") (case "n175") (case "n176") (case "n177") (case "n178") (case "n179") (case "n180") (case "n181") (case "n182") (case "n183") (case "n184") (case "n185") (case "n186") (case "n187") (case "n188") (case "n189") (case "n190") (case "n191") (case "n192") (case "n193") (case "n194") (case "n195") (case "n196") (case "n197") (case "n198") (case "n199") (case "n200") (case "n201") (case "n202") (case "n203") (case "n204") (case "n205") (case "n206") (case "n207") (case "n208") (case "n209") (case "n210") (case "n211") (case "n212") (case "n213") (case "n214") (case "n215") (case "n216") (case "n217") (case "n218") (case "n219") (case "n220") (case "n221") (case "n222") (case "n223") (case "n224") (case "n225") (case "n226") (case "n227") (case "n228") (case "n229") (case "n230") (case "n231") (case "n232") (case "n233") (case "n234") (case "n235") (case "n236") (case "n237") (case "n238") (case "n239") (case "n240") (case "n241") (case "n242") (case "n243") (case "n244") (case "n245") (case "n246") (case "n247") (case "n248") (case "n249") (case "n250") (case "n251") (case "n252") (case "n253") (case "n254") (case "n255") (case "n256" u8))) (export $t0 "t0" (type $d0))
    (core module $allocator
      (memory (export "memory") 2)
      (global $next (mut i32) (i32.const 65536))
      (func (export "realloc") (param $old i32) (param $was i32) (param $align i32) (param $n i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1))) (i32.sub (i32.const 0) (local.get $align))))
        (global.set $next (i32.add (local.get $at) (local.get $n)))
        (memory.copy (local.get $at) (local.get $old) (select (local.get $was) (local.get $n) (i32.lt_u (local.get $was) (local.get $n))))
        (local.get $at)))
    (core instance $a (instantiate $allocator))
    (alias core export $a "memory" (core memory $memory)) (alias core export $a "realloc" (core func $realloc))
    (core module $m
      (import "a" "memory" (memory 2))
    (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func $same (param $a i32) (param $b i32) (param $n i32) (result i32)
      (loop $next
        (if (i32.eqz (local.get $n)) (then (return (i32.const 1))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $next (i32.eq (i32.load8_u (i32.add (local.get $a) (local.get $n))) (i32.load8_u (i32.add (local.get $b) (local.get $n))))))
      (i32.const 0))
      (global $n (mut i32) (i32.const 0))

      (func (export "f") (param i32) (param i32)
      (if (i32.eq (global.get $n) (i32.const 0)) (then
    (call $must (i32.eq (local.get 0) (i32.const 0)))
    (call $must (i32.eq (local.get 1) (i32.const 0)))))
      (if (i32.eq (global.get $n) (i32.const 1)) (then
    (call $must (i32.eq (local.get 0) (i32.const 255)))
    (call $must (i32.eq (local.get 1) (i32.const 0)))))
      (if (i32.eq (global.get $n) (i32.const 2)) (then
    (call $must (i32.eq (local.get 0) (i32.const 256)))
    (call $must (i32.eq (local.get 1) (i32.const 9)))))
      (global.set $n (i32.add (global.get $n) (i32.const 1)))))
    (core instance $i (instantiate $m (with "a" (instance $a))))
    (func (export "f") (param "v" $t0) (canon lift (core func $i "f") (memory $memory) (realloc (core func $realloc)))))
  (instance $callee (instantiate $Callee))
  (component $Caller
    (type $d0 (variant (case "n0") (case "n1") (case "n2") (case "n3") (case "n4") (case "n5") (case "n6") (case "n7") (case "n8") (case "n9") (case "n10") (case "n11") (case "n12") (case "n13") (case "n14") (case "n15") (case "n16") (case "n17") (case "n18") (case "n19") (case "n20") (case "n21") (case "n22") (case "n23") (case "n24") (case "n25") (case "n26") (case "n27") (case "n28") (case "n29") (case "n30") (case "n31") (case "n32") (case "n33") (case "n34") (case "n35") (case "n36") (case "n37") (case "n38") (case "n39") (case "n40") (case "n41") (case "n42") (case "n43") (case "n44") (case "n45") (case "n46") (case "n47") (case "n48") (case "n49") (case "n50") (case "n51") (case "n52") (case "n53") (case "n54") (case "n55") (case "n56") (case "n57") (case "n58") (case "n59") (case "n60") (case "n61") (case "n62") (case "n63") (case "n64") (case "n65") (case "n66") (case "n67") (case "n68") (case "n69") (case "n70") (case "n71") (case "n72") (case "n73") (case "n74") (case "n75") (case "n76") (case "n77") (case "n78") (case "n79") (case "n80") (case "n81") (case "n82") (case "n83") (case "n84") (case "n85") (case "n86") (case "n87") (case "n88") (case "n89") (case "n90") (case "n91") (case "n92") (case "n93") (case "n94") (case "n95") (case "n96") (case "n97") (case "n98") (case "n99") (case "n100") (case "n101") (case "n102") (case "n103") (case "n104") (case "n105") (case "n106") (case "n107") (case "n108") (case "n109") (case "n110") (case "n111") (case "n112") (case "n113") (case "n114") (case "n115") (case "n116") (case "n117") (case "n118") (case "n119") (case "n120") (case "n121") (case "n122") (case "n123") (case "n124") (case "n125") (case "n126") (case "n127") (case "n128") (case "n129") (case "n130") (case "n131") (case "n132") (case "n133") (case "n134") (case "n135") (case "n136") (case "n137") (case "n138") (case "n139") (case "n140") (case "n141") (case "n142") (case "n143") (case "n144") (case "n145") (case "n146") (case "n147") (case "n148") (case "n149") (case "n150") (case "n151") (case "n152") (case "n153") (case "n154") (case "n155") (case "n156") (case "n157") (case "n158") (case "n159") (case "n160") (case "n161") (case "n162") (case "n163") (case "n164") (case "n165") (case "n166") (case "n167") (case "n168") (case "n169") (case "n170") (case "n171") (case "n172") (case "n173") (case "n174") (case "n175") (case "n176") (case "n177") (case "n178") (case "n179") (case "n180") (case "n181") (case "n182") (case "n183") (case "n184") (case "n185") (case "n186") (case "n187") (case "n188") (case "n189") (case "n190") (case "n191") (case "n192") (case "n193") (case "n194") (case "n195") (case "n196") (case "n197") (case "n198") (case "n199") (case "n200") (case "n201") (case "n202") (case "n203") (case "n204") (case "n205") (case "n206") (case "n207") (case "n208") (case "n209") (case "n210") (case "n211") (case "n212") (case "n213") (case "n214") (case "n215") (case "n216") (case "n217") (case "n218") (case "n219") (case "n220") (case "n221") (case "n222") (case "n223") (case "n224") (case "n225") (case "n226") (case "n227") (case "n228") (case "n229") (case "n230") (case "n231") (case "n232") (case "n233") (case "n234") (case "n235") (case "n236") (case "n237") (case "n238") (case "n239") (case "n240") (case "n241") (case "n242") (case "n243") (case "n244") (case "n245") (case "n246") (case "n247") (case "n248") (case "n249") (case "n250") (case "n251") (case "n252") (case "n253") (case "n254") (case "n255") (case "n256" u8))) (import "t0" (type $t0 (eq $d0)))
    (import "f" (func $f (param "v" $t0)))
    (core module $allocator
      (memory (export "memory") 2)
      (global $next (mut i32) (i32.const 65536))
      (func (export "realloc") (param $old i32) (param $was i32) (param $align i32) (param $n i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1))) (i32.sub (i32.const 0) (local.get $align))))
        (global.set $next (i32.add (local.get $at) (local.get $n)))
        (memory.copy (local.get $at) (local.get $old) (select (local.get $was) (local.get $n) (i32.lt_u (local.get $was) (local.get $n))))
        (local.get $at)))
    (core instance $a (instantiate $allocator))
    (alias core export $a "memory" (core memory $memory)) (alias core export $a "realloc" (core func $realloc))
    (core func $f' (canon lower (func $f) (memory $memory) (realloc (core func $realloc))))
    (core module $m
      (import "a" "memory" (memory 2))
      (import "callee" "f" (func $f (param i32) (param i32)))

      (func (export "run") (result i32)
      (call $f (i32.const 0) (i32.const 0))
      (call $f (i32.const 255) (i32.const 0))
      (call $f (i32.const 256) (i32.const 9))
      (i32.const 0)))
    (core instance $main (instantiate $m (with "a" (instance $a)) (with "callee" (instance (export "f" (func $f'))))))
    (func $run (result (result)) (canon lift (core func $main "run")))
    (export "run" (func $run)))
  (instance $caller (instantiate $Caller (with "t0" (type $callee "t0")) (with "f" (func $callee "f"))))
  (instance $cli (export "run" (func $caller "run")))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
